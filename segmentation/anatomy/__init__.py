"""A head and neck of parametric anatomy: shapes, tissues, the parts of the body, and how they vary between patients."""
