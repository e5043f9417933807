"""HTML pages for people: sections, figures, one file without external requests.

In: titles, texts and figures. Out: one HTML text.
"""
