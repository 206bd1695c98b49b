"""Training, linear evaluation and nearest neighbours."""
