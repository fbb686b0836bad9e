"""Files of journals: one JSON object a line, posted through the grouped door, one line of answer each.

For development and tests. In production entries come only from the events that cause them.
"""
