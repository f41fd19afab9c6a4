"""Generate production-ready Python microservices, with the framework that fits the workload."""

__version__ = "0.1.0"
