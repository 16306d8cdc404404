//! Where weather stations stand.

/// A point on the earth.
pub(super) struct Place {
    /// Degrees north of the equator.
    pub latitude: f64,
    /// Degrees east of Greenwich.
    pub longitude: f64,
    /// Metres above the sea.
    pub elevation: f64,
    /// Mean wind at an open place, in metres a second.
    pub wind: f64,
}

const fn place(latitude: f64, longitude: f64, elevation: f64, wind: f64) -> Place {
    Place {
        latitude,
        longitude,
        elevation,
        wind,
    }
}

/// Inhabited places of every climate, on both hemispheres.
pub(super) const PLACES: [Place; 24] = [
    place(52.5, 13.4, 34.0, 4.0),
    place(-33.9, 151.2, 40.0, 4.6),
    place(40.7, -74.0, 10.0, 4.8),
    place(1.3, 103.8, 15.0, 2.2),
    place(64.1, -21.9, 30.0, 6.5),
    place(-34.6, -58.4, 25.0, 4.2),
    place(35.7, 139.7, 40.0, 3.3),
    place(47.4, 8.5, 410.0, 2.6),
    place(-1.3, 36.8, 1795.0, 3.4),
    place(25.2, 55.3, 5.0, 3.9),
    place(51.5, -0.1, 20.0, 4.3),
    place(-43.5, 172.6, 20.0, 4.1),
    place(61.2, -149.9, 35.0, 3.1),
    place(19.1, 72.9, 14.0, 3.0),
    place(-33.4, -70.6, 570.0, 2.4),
    place(69.6, 18.9, 10.0, 4.4),
    place(39.9, 116.4, 50.0, 2.7),
    place(-26.2, 28.0, 1750.0, 3.2),
    place(55.8, 37.6, 155.0, 2.9),
    place(39.7, -105.0, 1610.0, 3.8),
    place(-54.8, -68.3, 20.0, 5.8),
    place(14.7, -17.5, 22.0, 5.2),
    place(45.5, -73.6, 50.0, 3.7),
    place(-12.0, -77.0, 150.0, 3.5),
];
