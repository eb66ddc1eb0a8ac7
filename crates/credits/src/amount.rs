/// The highest balance that a grant or top-up may bring about, in credits. Far below what 64 bits hold, so
/// that no sum overflows, and exact in any client's numbers.
pub const MOST_BALANCE: i64 = 1_000_000_000_000_000;
/// The most credits of one grant or top-up.
const MOST_AMOUNT: i64 = 1_000_000_000_000;
/// The most credits of one charge.
const MOST_COST: i64 = 1_000_000;

/// What one charge costs: 1 to 1,000,000 credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(i64);

/// What one grant or top-up gives: 1 to 1,000,000,000,000 credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i64);

/// A number that no charge may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 1000000")]
pub struct InvalidCost;

/// A number that no grant or top-up may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 1000000000000")]
pub struct InvalidAmount;

impl Cost {
    /// Judges a number of credits.
    ///
    /// # Errors
    /// [`InvalidCost`] when it is not 1 to 1,000,000.
    pub fn new(credits: i64) -> Result<Self, InvalidCost> {
        (1..=MOST_COST).contains(&credits).then_some(Self(credits)).ok_or(InvalidCost)
    }

    /// The credits.
    pub fn credits(self) -> i64 {
        self.0
    }
}

impl Amount {
    /// Judges a number of credits.
    ///
    /// # Errors
    /// [`InvalidAmount`] when it is not 1 to 1,000,000,000,000.
    pub fn new(credits: i64) -> Result<Self, InvalidAmount> {
        (1..=MOST_AMOUNT).contains(&credits).then_some(Self(credits)).ok_or(InvalidAmount)
    }

    /// The credits.
    pub fn credits(self) -> i64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_have_their_bounds() {
        for good in [1, 2, 1_000_000] {
            assert_eq!(Cost::new(good).map(Cost::credits), Ok(good));
            assert_eq!(Amount::new(good).map(Amount::credits), Ok(good));
        }
        assert!(Amount::new(1_000_000_000_000).is_ok());
        for bad in [i64::MIN, -1, 0, 1_000_000_000_001, i64::MAX] {
            assert_eq!(Cost::new(bad), Err(InvalidCost), "{bad}");
            assert_eq!(Amount::new(bad), Err(InvalidAmount), "{bad}");
        }
        assert_eq!(Cost::new(1_000_001), Err(InvalidCost));
    }
}
