"""Requests that were asked before, asked again of one recommender: a file comes in, one line a list goes out.

requests reads what to send, sample writes requests without the names of users, lists answers.
"""
