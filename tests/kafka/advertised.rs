//! A real broker whose listeners say that it is elsewhere: `kpipe ping` tells that trap by name.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::support::executable::kpipe;
use crate::support::{PATIENCE, told};

/// A node with three listeners: one that says where it is, one that says a name which does not
/// resolve, one that says an address where nobody listens.
struct Node {
    process: Child,
    _folder: tempfile::TempDir,
    good: String,
    unresolved: String,
    deaf: String,
    /// Where nobody listens.
    nowhere: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn java(class: &str) -> Command {
    let mut java = Command::new("java");
    java.args(["-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-cp"])
        .arg(told("KAFKA_CLASSPATH"))
        .arg(class)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    java
}

impl Node {
    fn start() -> Self {
        let listeners: [TcpListener; 5] =
            std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = listeners.each_ref().map(|one| one.local_addr().unwrap());
        let [good, unresolved, deaf, nowhere, controller] = addresses.map(|one| one.to_string());
        let folder = tempfile::tempdir().unwrap();
        let properties = folder.path().join("server.properties");
        let data = folder.path().join("data");
        let text = format!(
            "process.roles=broker,controller\n\
             node.id=7\n\
             controller.quorum.voters=7@{controller}\n\
             controller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,GOOD:PLAINTEXT,UNRESOLVED:PLAINTEXT,DEAF:PLAINTEXT\n\
             listeners=GOOD://{good},UNRESOLVED://{unresolved},DEAF://{deaf},CONTROLLER://{controller}\n\
             advertised.listeners=GOOD://{good},UNRESOLVED://kafka.invalid:9092,DEAF://{nowhere}\n\
             inter.broker.listener.name=GOOD\n\
             offsets.topic.replication.factor=1\n\
             log.dirs={}\n",
            data.display()
        );
        std::fs::write(&properties, text).unwrap();
        let formatted = java("kafka.tools.StorageTool")
            .args([
                "format",
                "--cluster-id",
                "4L6g3nShT-eMCtK--X86sw",
                "--config",
            ])
            .arg(&properties)
            .status()
            .unwrap();
        assert!(formatted.success());
        // They held the ports until now.
        drop(listeners);
        let process = java("kafka.Kafka").arg(&properties).spawn().unwrap();
        let node = Self {
            process,
            _folder: folder,
            good,
            unresolved,
            deaf,
            nowhere,
        };
        // Java takes its time where others build beside it.
        kpipe(["wait", "broker", "--timeout", "170s", "-b", &node.good])
            .within(PATIENCE * 2)
            .run()
            .ok();
        node
    }
}

/// The addresses that a client which is not ours is told.
fn advertised_by(listener: &str) -> Vec<String> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", listener);
    let client: BaseConsumer = config.create().unwrap();
    let metadata = client.fetch_metadata(None, PATIENCE).unwrap();
    let brokers = metadata.brokers().iter();
    brokers
        .map(|broker| format!("{}:{}", broker.host(), broker.port()))
        .collect()
}

#[test]
fn a_listener_that_advertises_elsewhere_is_told_by_name() {
    let node = Node::start();
    kpipe(["ping", "-b", &node.good]).run().ok();
    let unresolved = format!(
        "connected to {}, but broker 7 advertises kafka.invalid:9092, which does not resolve here",
        node.unresolved
    );
    let deaf = format!(
        "connected to {}, but broker 7 advertises {}, which does not answer",
        node.deaf, node.nowhere
    );
    for (listener, advertised, trap) in [
        (&node.unresolved, "kafka.invalid:9092", unresolved),
        (&node.deaf, &*node.nowhere, deaf),
    ] {
        assert_eq!(advertised_by(listener), [advertised]);
        let ping = kpipe(["ping", "-b", listener])
            .run()
            .exits(3)
            .says(&format!("error: {trap}"))
            .says("advertised.listeners")
            .says_one_error();
        assert_eq!(ping.lines()[0]["answers"], false);
        kpipe(["wait", "broker", "-b", listener, "--timeout", "3s"])
            .run()
            .exits(3)
            .says(&format!("caused by: {trap}"));
    }
}
