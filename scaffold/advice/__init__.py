"""Rank the frameworks for a workload, with reasons from the article and from benchmarks.

Other rooms use:
    evidence  Comparison RankBy Recommendation number order place recommend
    ranking   Advice Ranked Reason ahead defaults
"""
