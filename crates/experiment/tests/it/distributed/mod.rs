//! Load from several machines: workers are threads of this process, at the other ends of links, and the service is a simulated
//! server.

mod loads;
mod losses;
mod searches;
mod setting;
mod words;
