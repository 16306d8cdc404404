//! The built-in broker: librdkafka's mock cluster, in this process and in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::client::{Client, Cluster};
use super::error::Error;
use super::ffi::{MockCluster, Role};
use crate::stop::Stop;

/// A running cluster; it ends when dropped.
pub struct Broker {
    /// Before the client, on whose threads it runs, so that it is dropped first.
    cluster: MockCluster,
    client: Arc<Client>,
}

impl Broker {
    /// Starts `nodes` brokers on free ports of this machine.
    pub fn start(nodes: i32) -> Result<Self, Error> {
        let nowhere = Cluster {
            properties: BTreeMap::new(),
            token_source: None,
            stop: Stop::default(),
            deadline: None,
            listener: None,
        };
        let client = Client::new(&nowhere, Role::Producer, &[], &[])?;
        let cluster = MockCluster::new(&client.native, nodes)
            .ok_or(Error::NotOnBuiltInBroker("start so many nodes"))?;
        Ok(Self { cluster, client })
    }

    /// Where to connect.
    pub fn brokers(&self) -> String {
        self.cluster.brokers()
    }

    /// Makes a topic.
    pub fn create_topic(&self, name: &str, partitions: i32, replication: i32) -> Result<(), Error> {
        self.cluster
            .create_topic(name, partitions, replication)
            .map_err(|error| Error::other(format!("make topic `{name}`"), error))
    }

    /// Serves the client that the cluster runs on.
    pub fn serve(&self, timeout: Duration) {
        self.client.serve_keeping(timeout);
    }
}
