//! `tail --user`: what a user subscribes to, as it changes.

use std::collections::BTreeSet;
use std::io;
use std::thread;
use std::time::Duration;

use crate::error::CommandError;
use crate::kafka::{Subscriber, Topics};
use crate::registry::{self, Registry, State};
use crate::stop::Stop;
use crate::ui::{Ui, in_one_line};

/// How often the registry is asked.
const INTERVAL: Duration = Duration::from_millis(500);

/// A user's subscriptions, as they were last seen.
pub(super) struct Following {
    user: String,
    registry: Registry,
    topics: BTreeSet<String>,
    ui: Ui,
}

impl Following {
    /// Finds out what `user` subscribes to, and says it.
    pub(super) fn begin(user: &str, registry: Registry, ui: Ui) -> Result<Self, CommandError> {
        let following = Self {
            user: user.to_owned(),
            topics: subscribed(&registry, user)?,
            registry,
            ui,
        };
        if following.topics.is_empty() {
            following.say_nothing();
        } else {
            let topics: Vec<_> = following.topics.iter().map(String::as_str).collect();
            ui.status(format_args!("{user} subscribes to {}", topics.join(", ")));
        }
        Ok(following)
    }

    /// What is to be read.
    pub(super) fn topics(&self) -> Topics {
        Topics::subscribed(self.topics.iter().cloned().collect())
    }

    /// Has `subscriber` read what the user subscribes to, until `stop` is asked.
    pub(super) fn start(mut self, subscriber: Subscriber, stop: Stop) -> io::Result<()> {
        thread::Builder::new()
            .name("subscriptions".into())
            .spawn(move || {
                let mut troubled = false;
                while !stop.wait(INTERVAL) {
                    let trouble = self.look(&subscriber).err();
                    // What does not last is not worth a word, and what does is worth one.
                    if let Some(trouble) = &trouble
                        && !troubled
                    {
                        let user = &self.user;
                        self.ui.warning(format_args!(
                            "cannot follow what {user} subscribes to: {trouble}"
                        ));
                    }
                    troubled = trouble.is_some();
                }
            })?;
        Ok(())
    }

    /// Looks again; what cannot be followed now is tried again at the next look.
    fn look(&mut self, subscriber: &Subscriber) -> Result<(), String> {
        let now = subscribed(&self.registry, &self.user).map_err(|error| in_one_line(&error))?;
        if now == self.topics {
            return Ok(());
        }
        subscriber
            .subscribe(now.iter().cloned().collect())
            .map_err(|error| in_one_line(&error))?;
        let user = &self.user;
        for topic in now.difference(&self.topics) {
            self.ui
                .status(format_args!("{user} now subscribes to {topic}"));
        }
        for topic in self.topics.difference(&now) {
            self.ui
                .status(format_args!("{user} no longer subscribes to {topic}"));
        }
        self.topics = now;
        if self.topics.is_empty() {
            self.say_nothing();
        }
        Ok(())
    }

    fn say_nothing(&self) {
        let user = &self.user;
        self.ui.status(format_args!(
            "{user} subscribes to nothing; `kpipe subscription add {user} TOPIC` changes that"
        ));
    }
}

/// The topics of `user`; one that is no longer ACTIVE is not read until it is again.
fn subscribed(registry: &Registry, user: &str) -> Result<BTreeSet<String>, registry::Error> {
    let subscriptions = registry.subscriptions(Some(user))?;
    let active = subscriptions
        .into_iter()
        .filter(|subscription| subscription.state == State::Active);
    Ok(active.map(|subscription| subscription.topic).collect())
}
