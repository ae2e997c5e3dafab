"""A study as one HTML file that needs nothing else: figures in SVG, text, tables; readable offline, dark, printed."""
