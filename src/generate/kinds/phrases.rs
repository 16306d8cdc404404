//! What people write to each other.

use std::fmt;

use super::shapes::choice;

const OPENINGS: [&str; 16] = [
    "",
    "Hi all, ",
    "Quick question: ",
    "FYI, ",
    "Good news: ",
    "Heads up, ",
    "Thanks! ",
    "Hmm, ",
    "Okay, ",
    "Sorry, ",
    "By the way, ",
    "For the record, ",
    "Morning! ",
    "Great, ",
    "So ",
    "Yes, ",
];

const SUBJECTS: [&str; 16] = [
    "the build",
    "the release",
    "our demo",
    "the new dashboard",
    "the invoice",
    "the migration",
    "lunch",
    "the customer call",
    "the report",
    "the test run",
    "my laptop",
    "the office printer",
    "the training",
    "the roadmap",
    "the backup",
    "the café order",
];

const STATEMENTS: [&str; 16] = [
    "is green again",
    "moved to Thursday",
    "needs another pair of eyes",
    "took longer than planned",
    "is ready for review",
    "went better than expected",
    "still waits for an answer",
    "starts in ten minutes",
    "is on the wiki now",
    "has to be repeated",
    "looks good to me",
    "broke overnight",
    "was approved",
    "is cancelled",
    "can wait until Monday",
    "is all yours",
];

const ENDINGS: [&str; 12] = [
    ".",
    "!",
    "?",
    ", right?",
    " 🎉",
    " 👍",
    ".",
    ".",
    " – details follow.",
    "…",
    ", thanks.",
    " 🙂",
];

/// What is answered with a click, the most frequent first.
pub(super) const REACTIONS: [&str; 8] = ["👍", "❤️", "😂", "🎉", "👀", "🙏", "🚀", "😢"];

/// A sentence; the same bits are the same sentence.
pub(super) struct Sentence(pub u64);

impl fmt::Display for Sentence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0;
        let opening = choice(&OPENINGS, bits);
        let subject = choice(&SUBJECTS, bits >> 8);
        let statement = choice(&STATEMENTS, bits >> 16);
        let ending = choice(&ENDINGS, bits >> 24);
        write!(formatter, "{opening}{subject} {statement}{ending}")
    }
}
