"""A folder of cells, from the images to the report."""
