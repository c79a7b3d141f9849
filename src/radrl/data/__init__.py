"""Questions and radiographs in: files, rows, images, and the order they are drawn in."""
