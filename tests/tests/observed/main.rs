//! What Prometheus, Grafana and supervisors see of the daemon.

mod hostile;
mod numbers;
mod pages;
mod places;
mod programs;
mod shipped;
