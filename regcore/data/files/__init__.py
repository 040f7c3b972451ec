"""Sets of files: folders and ZIP archives with a folder for each class."""
