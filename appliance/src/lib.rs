//! Floodwall's service: the reverse proxy, and the hands that hold limiter, pre-filter and configuration
//! together.
//!
//! A [`config`](floodwall_config) file is compiled into a [`generation`]; the [`host`] runs one generation at a
//! time and keeps what outlives it. Requests come in through [`server`] and [`proxy`], operators through
//! [`control`] and [`admin`].

// From the file to both layers.
pub mod boot;
pub mod capture;
pub mod generation;
pub mod handover;
pub mod host;
pub mod prefilter;
pub mod reload;
pub mod run;
pub mod state;

// The way of a request.
pub mod access_log;
pub mod admission;
pub mod blocks;
pub mod client;
pub mod compress;
pub mod early;
pub mod edits;
pub mod facts;
pub mod gate;
pub mod key;
pub mod limit;
pub mod mirror;
pub mod networks;
pub mod pages;
pub mod protection;
pub mod proxy;
pub mod redirect;
pub mod refusal;
pub mod request;
pub mod route;
pub mod server;
pub mod split;
pub mod strict;
pub mod tokens;
pub mod trace;
pub mod tunnel;
pub mod upstream;

// What operators see and do.
pub mod admin;
pub mod cli;
pub mod control;
pub mod doctor;
pub mod explain;
pub mod lease;
pub mod log;
pub mod metrics;
pub mod service;
pub mod signals;
pub mod status;
pub mod systemd;

// What lies under all of it.
pub mod aside;
pub mod clock;
pub mod fetch;
pub mod fields;
pub mod memory;
pub mod pem;
pub mod pressure;
pub mod stats;
