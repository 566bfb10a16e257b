"""The status page: one document about this replica and the mesh, as JSON and as HTML."""
