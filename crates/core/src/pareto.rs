//! Which of some points are on the frontier: those that no other is at least as good as.
//!
//! Knows points by two numbers of which more is better, and not what they stand for.

/// Places of the points on the frontier, the greatest first number first. Of points that are equal in both numbers, the one
/// that comes first is on it; points with a number that is not finite are not.
///
/// A point is off the frontier when another one is as high in one number and higher in the other, or when an equal one comes
/// before it. What remains rises strictly in the second number as it falls in the first.
///
/// ```
/// use crestline_core::pareto::frontier;
/// assert_eq!(frontier(&[[1.0, 9.0], [5.0, 5.0], [4.0, 5.0], [9.0, 1.0]]), [3, 1, 0]);
/// ```
pub fn frontier(points: &[[f64; 2]]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..points.len())
        .filter(|place| points[*place].iter().all(|value| value.is_finite()))
        .collect();
    places.sort_by(|a, b| {
        let ([ax, ay], [bx, by]) = (points[*a], points[*b]);
        bx.total_cmp(&ax).then(by.total_cmp(&ay)).then(a.cmp(b))
    });
    let mut best = f64::NEG_INFINITY;
    places.retain(|place| {
        let is_higher = points[*place][1] > best;
        best = best.max(points[*place][1]);
        is_higher
    });
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::frontier;

    #[test]
    fn dominated_ties_are_off_the_frontier() {
        assert_eq!(frontier(&[[2.0, 5.0], [3.0, 5.0], [1.0, 5.0]]), [1]);
        assert_eq!(frontier(&[[3.0, 4.0], [3.0, 5.0]]), [1]);
        assert_eq!(frontier(&[[3.0, 5.0], [3.0, 5.0]]), [0]);
    }

    #[test]
    fn what_is_no_number_is_on_no_frontier() {
        assert_eq!(
            frontier(&[[f64::NAN, 9.0], [1.0, f64::INFINITY], [1.0, 1.0]]),
            [2]
        );
        assert!(frontier(&[]).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_point_is_on_it_just_when_no_other_dominates_it(
            points in proptest::collection::vec((0..6_i32, 0..6_i32), 0..30)
        ) {
            let points: Vec<[f64; 2]> = points.into_iter().map(|(x, y)| [f64::from(x), f64::from(y)]).collect();
            let found = frontier(&points);
            for (place, point) in points.iter().enumerate() {
                let beaten = points.iter().enumerate().any(|(other, it)| {
                    let as_good = it[0] >= point[0] && it[1] >= point[1];
                    let is_equal = it[0] <= point[0] && it[1] <= point[1];
                    as_good && (!is_equal || other < place)
                });
                prop_assert_eq!(found.contains(&place), !beaten, "{:?} of {:?}", point, points);
            }
            for pair in found.windows(2) {
                let ([x1, y1], [x2, y2]) = (points[pair[0]], points[pair[1]]);
                prop_assert!(x1 > x2 && y1 < y2);
            }
        }
    }
}
