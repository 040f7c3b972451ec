"""Pictures of a report: SVG by hand, without a library and without torch.

Lives here: what is drawn, and text as SVG needs it. Does not live here: what is measured.
"""
