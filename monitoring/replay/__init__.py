"""What a change does to lists: two sides' lists for the same requests come in, an effect held to thresholds goes out.

similarity compares two lists, effect adds them up, thresholds decides, comment says it in Markdown.
"""
