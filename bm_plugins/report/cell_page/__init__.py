"""The page of predicted cells, as HTML."""
