"""The shapes of the published documents, a module for each family.

Field order here is the order of the keys in the documents. From the shapes alone `schemas` makes the published JSON
Schemas: a class's docstring is its description; a text in `Annotated` describes a field, `Keywords` there say more of
it.
"""
