"""What many runs come to: what each that has ended adds, and the figures of all of them (12.2).

What a run did is the matter of `reports`.
"""
