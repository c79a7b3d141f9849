"""Real chest radiographs from a folder, with questions made from what is known of them."""
