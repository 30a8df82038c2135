"""How well one photo becomes another view: calibrated pairs, measures, tables."""
