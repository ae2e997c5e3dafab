"""What the scikit-learn objective is made of: finding an estimator, building it, and drawing its learning curve."""
