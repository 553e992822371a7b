"""The reference documents: OpenAPI, AsyncAPI and a page, made from the routes, handlers and schemas."""
