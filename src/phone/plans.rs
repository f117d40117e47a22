//! The calling codes of E.164, and how long their national numbers can be.

/// The most digits a number has, calling code included (ITU-T E.164, 6.2).
pub(super) const MAX_DIGITS: u32 = 15;

/// What one calling code allows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NumberingPlan {
    pub code: u16,
    /// Fewest national digits, leading zeros not counted.
    pub min: u8,
    /// Most national digits, leading zeros counted.
    pub max: u8,
    /// ISO 3166 codes of the countries served, the main one first, separated
    /// by blanks; empty for global services.
    pub countries: &'static str,
}

impl NumberingPlan {
    const fn code_digits(&self) -> u32 {
        self.code.ilog10() + 1
    }
}

/// A number taken apart at the end of its calling code.
pub(super) struct Split {
    pub plan: &'static NumberingPlan,
    /// National digits, leading zeros counted.
    pub digits: u32,
    /// The national number as an integer: leading zeros are gone.
    pub national: u64,
}

impl Split {
    /// National digits, leading zeros not counted.
    pub(super) fn significant(&self) -> u32 {
        if self.leads_with_zero() {
            count_digits(self.national)
        } else {
            self.digits
        }
    }

    /// Whether the national number leads with a zero.
    pub(super) fn leads_with_zero(&self) -> bool {
        let all = self.digits.checked_sub(1);
        all.is_some_and(|rest| self.national < power_of_ten(rest))
    }

    /// The national digits if their count is impossible: of them all where
    /// there are too many or too few, of those behind the leading zeros where
    /// only these are too few.
    pub(super) fn impossible_digits(&self) -> Option<u32> {
        let (min, max) = (u32::from(self.plan.min), u32::from(self.plan.max));
        if self.digits < min || self.digits > max {
            Some(self.digits)
        } else {
            Some(self.significant()).filter(|n| *n < min)
        }
    }
}

/// The powers of ten that 64 bits hold: to look one up takes less than to reckon it.
static POWERS_OF_TEN: [u64; 20] = {
    let mut powers = [1; 20];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

/// 10 to the power of a count of digits of a `u64`.
pub(super) fn power_of_ten(digits: u32) -> u64 {
    POWERS_OF_TEN[digits as usize]
}

/// How many decimal digits `n` has; none for 0.
pub(super) fn count_digits(n: u64) -> u32 {
    n.checked_ilog10().map_or(0, |log| log + 1)
}

/// Splits the digits of an international number at the end of its calling
/// code, or gives their first three (or fewer) where no calling code begins
/// them. Says nothing about the length.
pub(super) fn split_digits(number: u64) -> Result<Split, u16> {
    let digits = count_digits(number);
    let (head, aligned) = if digits >= 3 {
        let head = (number / power_of_ten(digits - 3)) as usize;
        (head, head)
    } else {
        (number as usize, number as usize * 10usize.pow(3 - digits))
    };
    match PLAN_OF[aligned] {
        0 => Err(head as u16),
        n => {
            let plan = &PLANS[usize::from(n) - 1];
            let national_digits = digits.checked_sub(plan.code_digits()).ok_or(head as u16)?;
            Ok(Split {
                plan,
                digits: national_digits,
                national: number - u64::from(plan.code) * power_of_ten(national_digits),
            })
        }
    }
}

/// The plan of one calling code.
pub(super) fn plan(code: u16) -> Option<&'static NumberingPlan> {
    PLANS
        .binary_search_by_key(&code, |plan| plan.code)
        .ok()
        .map(|at| &PLANS[at])
}

/// All plans, by calling code.
pub(super) fn all_plans() -> &'static [NumberingPlan] {
    &PLANS
}

/// For the first three digits of a number: 1 + the place in [`PLANS`] of its
/// calling code, 0 for none. No calling code begins another.
static PLAN_OF: [u8; 1000] = {
    let mut table = [0; 1000];
    let mut at = 0;
    while at < PLANS.len() {
        let span = 10usize.pow(3 - PLANS[at].code_digits());
        let first = PLANS[at].code as usize * span;
        let mut i = 0;
        while i < span {
            table[first + i] = at as u8 + 1;
            i += 1;
        }
        at += 1;
    }
    table
};

static PLANS: [NumberingPlan; ROWS.len()] = {
    let mut plans = [const {
        NumberingPlan {
            code: 0,
            min: 0,
            max: 0,
            countries: "",
        }
    }; ROWS.len()];
    let mut at = 0;
    while at < ROWS.len() {
        let (code, min, max, countries) = ROWS[at];
        plans[at] = NumberingPlan {
            code,
            min,
            max,
            countries,
        };
        at += 1;
    }
    plans
};

/// (calling code, fewest and most national digits, countries).
///
/// The codes are those in use of the ITU's "List of ITU-T Recommendation E.164
/// assigned country codes". The lengths span what the numbering plans behind
/// libphonenumber's metadata call possible from abroad, capped at 15 digits in
/// all; gaps between them are not kept, because a refusal here can't be
/// overruled and plans grow. Where national numbers begin with a significant
/// zero, the lower end is without it, so that a row, which has lost the zero,
/// is as readable as its number. The tests compare the table with the library.
#[rustfmt::skip]
const ROWS: &[(u16, u8, u8, &str)] = &[
    (1, 10, 10, "US AG AI AS BB BM BS CA DM DO GD GU JM KN KY LC MP MS PR SX TC TT VC VG VI"),
    (7, 10, 14, "RU KZ"), (20, 8, 10, "EG"), (27, 5, 10, "ZA"), (30, 10, 12, "GR"),
    (31, 5, 11, "NL"), (32, 8, 9, "BE"), (33, 9, 9, "FR"), (34, 9, 9, "ES"), (36, 8, 9, "HU"),
    (39, 5, 12, "IT VA"), (40, 6, 9, "RO"), (41, 9, 12, "CH"), (43, 4, 13, "AT"),
    (44, 7, 10, "GB GG IM JE"), (45, 8, 8, "DK"), (46, 6, 12, "SE"), (47, 4, 8, "NO SJ"),
    (48, 6, 10, "PL"), (49, 4, 13, "DE"), (51, 8, 9, "PE"), (52, 10, 10, "MX"),
    (53, 6, 10, "CU"), (54, 10, 11, "AR"), (55, 8, 11, "BR"), (56, 9, 11, "CL"),
    (57, 8, 11, "CO"), (58, 10, 10, "VE"), (60, 8, 10, "MY"), (61, 5, 12, "AU CC CX"),
    (62, 7, 13, "ID"), (63, 6, 13, "PH"), (64, 5, 10, "NZ"), (65, 8, 11, "SG"),
    (66, 8, 13, "TH"), (81, 6, 13, "JP"), (82, 5, 13, "KR"), (84, 7, 10, "VN"),
    (86, 7, 12, "CN"), (90, 7, 13, "TR"), (91, 8, 13, "IN"), (92, 8, 12, "PK"),
    (93, 9, 9, "AF"), (94, 9, 9, "LK"), (95, 6, 10, "MM"), (98, 4, 10, "IR"), (211, 9, 9, "SS"),
    (212, 9, 9, "MA EH"), (213, 8, 9, "DZ"), (216, 8, 8, "TN"), (218, 9, 9, "LY"),
    (220, 7, 9, "GM"), (221, 9, 9, "SN"), (222, 8, 8, "MR"), (223, 8, 8, "ML"),
    (224, 8, 9, "GN"), (225, 9, 10, "CI"), (226, 7, 8, "BF"), (227, 7, 8, "NE"),
    (228, 8, 8, "TG"), (229, 8, 10, "BJ"), (230, 7, 10, "MU"), (231, 7, 9, "LR"),
    (232, 8, 8, "SL"), (233, 8, 9, "GH"), (234, 10, 12, "NG"), (235, 8, 8, "TD"),
    (236, 8, 8, "CF"), (237, 8, 9, "CM"), (238, 7, 7, "CV"), (239, 7, 7, "ST"),
    (240, 9, 9, "GQ"), (241, 7, 8, "GA"), (242, 8, 9, "CG"), (243, 7, 10, "CD"),
    (244, 9, 9, "AO"), (245, 7, 9, "GW"), (246, 7, 7, "IO"), (247, 5, 6, "AC"),
    (248, 7, 7, "SC"), (249, 9, 9, "SD"), (250, 7, 9, "RW"), (251, 9, 9, "ET"),
    (252, 6, 9, "SO"), (253, 8, 8, "DJ"), (254, 7, 10, "KE"), (255, 9, 9, "TZ"),
    (256, 9, 9, "UG"), (257, 8, 8, "BI"), (258, 8, 9, "MZ"), (260, 9, 9, "ZM"),
    (261, 9, 9, "MG"), (262, 9, 9, "RE YT"), (263, 7, 10, "ZW"), (264, 8, 9, "NA"),
    (265, 7, 9, "MW"), (266, 8, 8, "LS"), (267, 7, 10, "BW"), (268, 7, 9, "SZ"),
    (269, 7, 7, "KM"), (290, 4, 5, "SH TA"), (291, 7, 7, "ER"), (297, 7, 7, "AW"),
    (298, 6, 6, "FO"), (299, 6, 6, "GL"), (350, 8, 8, "GI"), (351, 9, 9, "PT"),
    (352, 4, 11, "LU"), (353, 7, 10, "IE"), (354, 7, 9, "IS"), (355, 6, 9, "AL"),
    (356, 8, 8, "MT"), (357, 8, 8, "CY"), (358, 5, 12, "FI AX"), (359, 6, 12, "BG"),
    (370, 8, 8, "LT"), (371, 8, 8, "LV"), (372, 7, 10, "EE"), (373, 8, 8, "MD"),
    (374, 8, 8, "AM"), (375, 6, 11, "BY"), (376, 6, 9, "AD"), (377, 8, 9, "MC"),
    (378, 8, 10, "SM"), (380, 9, 10, "UA"), (381, 6, 12, "RS"), (382, 8, 9, "ME"),
    (383, 8, 12, "XK"), (385, 7, 9, "HR"), (386, 5, 8, "SI"), (387, 8, 9, "BA"),
    (389, 8, 8, "MK"), (420, 9, 12, "CZ"), (421, 6, 9, "SK"), (423, 7, 9, "LI"),
    (500, 5, 5, "FK"), (501, 7, 11, "BZ"), (502, 8, 11, "GT"), (503, 7, 11, "SV"),
    (504, 8, 11, "HN"), (505, 8, 8, "NI"), (506, 8, 10, "CR"), (507, 7, 11, "PA"),
    (508, 6, 9, "PM"), (509, 8, 8, "HT"), (590, 9, 9, "GP BL MF"), (591, 8, 9, "BO"),
    (592, 7, 7, "GY"), (593, 8, 11, "EC"), (594, 9, 9, "GF"), (595, 6, 11, "PY"),
    (596, 9, 9, "MQ"), (597, 6, 7, "SR"), (598, 3, 12, "UY"), (599, 7, 8, "CW BQ"),
    (670, 7, 8, "TL"), (672, 6, 6, "NF"), (673, 7, 7, "BN"), (674, 7, 7, "NR"),
    (675, 7, 8, "PG"), (676, 5, 7, "TO"), (677, 5, 7, "SB"), (678, 5, 7, "VU"),
    (679, 7, 11, "FJ"), (680, 7, 7, "PW"), (681, 6, 9, "WF"), (682, 5, 5, "CK"),
    (683, 4, 7, "NU"), (685, 5, 10, "WS"), (686, 5, 8, "KI"), (687, 5, 6, "NC"),
    (688, 5, 7, "TV"), (689, 6, 9, "PF"), (690, 4, 7, "TK"), (691, 7, 7, "FM"),
    (692, 7, 7, "MH"), (800, 4, 8, ""), (808, 8, 8, ""), (850, 8, 10, "KP"), (852, 5, 11, "HK"),
    (853, 6, 8, "MO"), (855, 8, 10, "KH"), (856, 8, 10, "LA"), (870, 9, 12, ""),
    (878, 12, 12, ""), (880, 6, 10, "BD"), (881, 5, 10, ""), (882, 7, 12, ""), (883, 8, 12, ""),
    (886, 7, 11, "TW"), (888, 7, 11, ""), (960, 7, 10, "MV"), (961, 7, 8, "LB"),
    (962, 8, 9, "JO"), (963, 8, 9, "SY"), (964, 8, 10, "IQ"), (965, 7, 8, "KW"),
    (966, 9, 10, "SA"), (967, 7, 9, "YE"), (968, 7, 9, "OM"), (970, 8, 10, "PS"),
    (971, 5, 12, "AE"), (972, 7, 12, "IL"), (973, 8, 8, "BH"), (974, 7, 11, "QA"),
    (975, 7, 8, "BT"), (976, 8, 10, "MN"), (977, 8, 11, "NP"), (979, 9, 9, ""),
    (992, 5, 9, "TJ"), (993, 8, 8, "TM"), (994, 9, 9, "AZ"), (995, 9, 9, "GE"),
    (996, 9, 10, "KG"), (998, 9, 9, "UZ"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber};

    #[test]
    fn calling_codes_are_the_librarys() {
        let mut theirs: Vec<_> = PHONE_NUMBER_UTIL
            .get_supported_calling_codes()
            .map(|code| code as u16)
            .collect();
        theirs.sort_unstable();
        let ours: Vec<_> = all_plans().iter().map(|plan| plan.code).collect();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn countries_are_the_librarys_main_one_first() {
        for plan in all_plans() {
            let theirs: Vec<_> = PHONE_NUMBER_UTIL
                .get_regions_for_country_calling_code(plan.code.into())
                .into_iter()
                .flatten()
                .map(|region| region.to_string())
                .filter(|region| region != "001")
                .collect();
            let ours: Vec<_> = plan.countries.split_whitespace().collect();
            assert_eq!(ours, theirs, "+{}", plan.code);
        }
    }

    #[test]
    fn every_length_the_library_allows_is_allowed() {
        for plan in all_plans() {
            for digits in 1..=MAX_DIGITS - plan.code_digits() {
                let number = PhoneNumber {
                    country_code: plan.code.into(),
                    national_number: 10u64.pow(digits - 1),
                    ..PhoneNumber::default()
                };
                if PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number)
                    == Ok(NumberLengthType::IsPossible)
                {
                    let allowed = u32::from(plan.min)..=u32::from(plan.max);
                    assert!(allowed.contains(&digits), "+{} {digits}", plan.code);
                }
            }
        }
    }

    #[test]
    fn lengths_are_not_much_wider_than_the_librarys() {
        for plan in all_plans() {
            assert!(plan.min >= 3 && plan.min <= plan.max, "+{}", plan.code);
            assert!(u32::from(plan.max) + plan.code_digits() <= MAX_DIGITS);
        }
        let exact = |code| plan(code).map(|plan| plan.min == plan.max);
        assert_eq!(exact(1), Some(true));
        assert_eq!(exact(33), Some(true));
    }

    #[test]
    fn split_ends_the_calling_code() {
        let at = |n| split_digits(n).map(|s| (s.plan.code, s.digits, s.national));
        assert_eq!(at(919_513_456_728), Ok((91, 10, 9_513_456_728)));
        assert_eq!(at(971_545_335_200), Ok((971, 9, 545_335_200)));
        assert_eq!(at(12_423_456_789), Ok((1, 10, 2_423_456_789)));
        assert_eq!(at(390_612_345_678), Ok((39, 10, 612_345_678)));
        assert_eq!(at(91), Ok((91, 0, 0)));
        assert_eq!(at(999_123), Err(999));
        assert_eq!(at(97), Err(97));
        assert_eq!(at(9), Err(9));
        assert_eq!(at(0), Err(0));
    }
}
