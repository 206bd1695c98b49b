"""Losses, and the class weights in them."""
