/// What a charge costs: 1 to 1,000,000 credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(u32);

/// A number that no charge may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a charge costs 1 to 1000000 credits")]
pub struct InvalidCost;

impl Cost {
    /// The cost that stands in a program, as in `Cost::of::<5>()`. One that no charge may have does not
    /// compile:
    ///
    /// ```
    /// # use portcullis_guard::Cost;
    /// const NOTE: Cost = Cost::of::<5>();
    /// ```
    ///
    /// ```compile_fail
    /// # use portcullis_guard::Cost;
    /// const NOTE: Cost = Cost::of::<0>();
    /// ```
    pub const fn of<const CREDITS: u32>() -> Self {
        const { assert!(is_cost(CREDITS), "a charge costs 1 to 1000000 credits") };
        Self(CREDITS)
    }

    /// The cost that stands in a setting, to be judged when the program starts.
    ///
    /// # Errors
    /// [`InvalidCost`] when it is not 1 to 1,000,000.
    pub const fn new(credits: u32) -> Result<Self, InvalidCost> {
        if is_cost(credits) { Ok(Self(credits)) } else { Err(InvalidCost) }
    }

    /// The credits.
    pub const fn credits(self) -> u32 {
        self.0
    }
}

/// What the meter takes.
const fn is_cost(credits: u32) -> bool {
    1 <= credits && credits <= 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_what_the_meter_takes() {
        for good in [1, 5, 1_000_000] {
            assert_eq!(Cost::new(good).map(Cost::credits), Ok(good));
        }
        for bad in [0, 1_000_001, u32::MAX] {
            assert_eq!(Cost::new(bad), Err(InvalidCost), "{bad}");
        }
        assert_eq!(Cost::new(1_000_000), Ok(Cost::of::<1_000_000>()));
    }
}
