"""Documents of pipelines are read, cut into chunks and embedded by durable jobs."""
