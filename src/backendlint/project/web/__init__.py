"""Requests and answers: who may call, what was sent, what is answered."""
