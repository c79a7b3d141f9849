"""Knowledge graphs of radiology text: extraction, canonical names and overlap."""
