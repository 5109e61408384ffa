//! A rectangle of the remote surface, in pixels.

/// `x, y` is the top left corner; `w, h` may be zero (an empty rectangle).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Rect {
    pub x: u16,
    pub y: u16,
    pub w: u16,
    pub h: u16,
}

impl Rect {
    pub const fn new(x: u16, y: u16, w: u16, h: u16) -> Self {
        Self { x, y, w, h }
    }

    pub const fn is_empty(&self) -> bool {
        self.w == 0 || self.h == 0
    }

    pub const fn area(&self) -> u32 {
        self.w as u32 * self.h as u32
    }

    /// First column right of the rectangle.
    pub const fn right(&self) -> u32 {
        self.x as u32 + self.w as u32
    }

    /// First row below the rectangle.
    pub const fn bottom(&self) -> u32 {
        self.y as u32 + self.h as u32
    }

    /// True when the rectangle lies wholly inside a surface of `width` x `height`.
    pub const fn fits(&self, width: u16, height: u16) -> bool {
        self.right() <= width as u32 && self.bottom() <= height as u32
    }

    pub fn intersect(&self, other: &Self) -> Self {
        let x = self.x.max(other.x);
        let y = self.y.max(other.y);
        let right = self.right().min(other.right());
        let bottom = self.bottom().min(other.bottom());
        Self { x, y, w: right.saturating_sub(u32::from(x)) as u16, h: bottom.saturating_sub(u32::from(y)) as u16 }
    }

    /// The smallest rectangle around both; an empty one adds nothing.
    pub fn union(&self, other: &Self) -> Self {
        if self.is_empty() {
            return *other;
        }
        if other.is_empty() {
            return *self;
        }
        let x = self.x.min(other.x);
        let y = self.y.min(other.y);
        Self {
            x,
            y,
            w: (self.right().max(other.right()) - u32::from(x)).min(u32::from(u16::MAX)) as u16,
            h: (self.bottom().max(other.bottom()) - u32::from(y)).min(u32::from(u16::MAX)) as u16,
        }
    }

    /// The part of the rectangle inside a surface of `width` x `height`.
    pub fn clip(&self, width: u16, height: u16) -> Self {
        self.intersect(&Self::new(0, 0, width, height))
    }
}
