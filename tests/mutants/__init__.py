"""Mutation testing: is every small error that could be put into the source noticed by a test?"""
