//! Which partition a key goes to, for who looks for it there.
//!
//! Java's clients and kpipe take murmur2. librdkafka's own default is CRC-32, and so is that of
//! most that are built on it: kcat, confluent-kafka of Python, Go and .NET.

/// How a producer turns a key into a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioner {
    /// Java's default; `murmur2_random` of librdkafka.
    Murmur2,
    /// librdkafka's default, `consistent_random`.
    Crc32,
}

impl Partitioner {
    /// Those that are common, the more common first.
    pub const COMMON: [Self; 2] = [Self::Murmur2, Self::Crc32];

    /// The name that users know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Murmur2 => "murmur2",
            Self::Crc32 => "crc32",
        }
    }

    /// The partition of `key` among so many, of which there must be one at least.
    ///
    /// CRC-32 takes a key that is empty for none, so that it may be anywhere.
    pub fn partition(self, key: &[u8], partitions: i32) -> i32 {
        let hash = match self {
            Self::Murmur2 => murmur2(key) & 0x7fff_ffff,
            Self::Crc32 => crc32(key),
        };
        let among = partitions.max(1).unsigned_abs();
        (hash % among).cast_signed()
    }
}

/// `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(key: &[u8]) -> u32 {
    const MULTIPLIER: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    // A key is far shorter than 4 GiB.
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let (words, rest) = key.as_chunks::<4>();
    let mut hash = words.iter().fold(SEED ^ length, |hash, word| {
        let word = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        let word = (word ^ (word >> 24)).wrapping_mul(MULTIPLIER);
        hash.wrapping_mul(MULTIPLIER) ^ word
    });
    if !rest.is_empty() {
        let mut word = [0; 4];
        word[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u32::from_le_bytes(word)).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

/// CRC-32 as in zlib. A key is short, so a bit at a time is fast enough.
fn crc32(key: &[u8]) -> u32 {
    !key.iter().fold(!0, |hash, byte| {
        (0..8).fold(hash ^ u32::from(*byte), |hash, _| {
            (hash >> 1) ^ (0xedb8_8320 & (hash & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_is_javas() {
        // The cases of Kafka's own `UtilsTest.testMurmur2`.
        for (key, expected) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }

    #[test]
    fn crc32_is_zlibs() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_partition_is_always_one_of_those_there() {
        for partitioner in Partitioner::COMMON {
            for partitions in [0, 1, 2, 12, i32::MAX] {
                for key in ["", "a", "u-17", "\u{7f}\u{7f}"] {
                    let partition = partitioner.partition(key.as_bytes(), partitions);
                    assert!((0..partitions.max(1)).contains(&partition));
                }
            }
        }
    }
}
