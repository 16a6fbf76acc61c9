//! How a host reaches a service: objects for each kind of ingress controller, and what each of them can do.
