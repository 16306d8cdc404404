//! Where a tail begins and ends: the grammar of `-o`.
