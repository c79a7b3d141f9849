"""The healthy chest: X-ray attenuation of body, lungs, bones, heart and vessels, before any finding.

Frame: x from the patient's right (0, left of the image) to the left, y downwards, both in fractions of the side;
`u` is the distance from the midline, so that paired structures are drawn once.
"""

from dataclasses import dataclass

import numpy as np

from radrl.phantom.drawing import (
    NUM_TEXTURES,
    Plane,
    ellipse,
    inside,
    ridge,
    shifted,
    superellipse,
    texture_bank,
    unit_grid,
)
from radrl.phantom.scene import Anatomy, Side, Technique, View

MIDLINE = 0.5
LUNG_AIR = 0.33
"""Attenuation that aerated lung takes away from the body's."""
SOLID_FILL = 0.80
"""Share of that air which the heart and the great vessels displace in the line of sight."""
COSTOPHRENIC_DROP = 0.095
"""How far the lateral angle lies below the top of the hemidiaphragm."""
CARINA_DEPTH = 0.245
"""How far below the apex of the lungs the windpipe divides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chest:
    """The healthy chest on one film's pixels, with what findings need to find their place.

    Planes are [size, size]; masks run from 0 to 1.
    """

    attenuation: Plane
    x: Plane
    y: Plane
    u: Plane
    """Distance from the midline."""
    is_left: Plane
    """1 on the patient's left side (right half of the image)."""
    lungs: Plane
    """Outline of the lungs, both sides, what lies behind the heart included."""
    aerated: Plane
    """The lungs as far as heart and great vessels do not displace them: where a finding of the lung shows."""
    lung_rim: Plane
    """Distance from the lungs' outline in units of their radii: -1 at the centre, 0 on the rim."""
    lung_texture: Plane
    """Vessels and parenchyma as drawn within the lungs."""
    heart: Plane
    center: float
    """u of the lungs' axis."""
    half_width: float
    """Of a lung."""
    base_y: tuple[float, float]
    """y of the costophrenic angle, right and left."""
    anatomy: Anatomy
    view: View
    pixel: float

    def side(self, side: Side) -> Plane:
        """Mask of one side of the body."""
        return self.is_left if side == "left" else 1 - self.is_left

    def lung(self, side: Side) -> Plane:
        """Aerated part of one lung."""
        return self.aerated * self.side(side)

    def base(self, side: Side) -> float:
        """y of the costophrenic angle."""
        return self.base_y[1 if side == "left" else 0]

    def coarse(self, seed: float) -> Plane:
        """A coarse random texture, chosen by a number in [0, 1)."""
        bank = texture_bank(self.x.shape[0])[1]
        return shifted(bank[int(seed * 997) % NUM_TEXTURES], right=seed * 31 % 1, down=seed * 17 % 1)


def draw_chest(anatomy: Anatomy, technique: Technique, *, size_px: int) -> Chest:
    """Lay the patient on the film and draw everything healthy."""
    x, y = _patient_frame(technique, size_px=size_px)
    u = np.abs(x - MIDLINE)
    is_left = inside(MIDLINE - x, edge=0.5 / size_px)
    half_width = 0.155 + 0.4 * (anatomy.thorax_half_width - 0.345)
    center = anatomy.thorax_half_width - half_width
    dome = anatomy.dome_y - technique.inspiration
    lung_rim = _lung_rim(u, y, anatomy=anatomy, center=center, half_width=half_width)
    # The left hemidiaphragm lies lower by half a rib space, for the heart rests on it.
    diaphragm = dome + 0.022 * is_left + COSTOPHRENIC_DROP * _dome_profile(u, center=center, half_width=half_width)
    lungs = inside(lung_rim, edge=0.045) * inside(y - diaphragm, edge=0.008)
    heart = heart_mask(x, y, ratio=ratio_in_view(anatomy, technique.view), anatomy=anatomy, dome=dome)
    middle = mediastinum_mask(u, y, half_width=anatomy.mediastinum_half_width)
    texture = _lung_texture(u, y, anatomy=anatomy, size_px=size_px) * lungs
    chest = Chest(
        attenuation=_soft_tissue(u, y, anatomy=anatomy),
        x=x,
        y=y,
        u=u,
        is_left=is_left,
        lungs=lungs,
        aerated=lungs * (1 - SOLID_FILL * np.maximum(heart, middle)),
        lung_rim=lung_rim,
        lung_texture=texture,
        heart=heart,
        center=center,
        half_width=half_width,
        base_y=(dome + COSTOPHRENIC_DROP, dome + COSTOPHRENIC_DROP + 0.022),
        anatomy=anatomy,
        view=technique.view,
        pixel=1 / size_px,
    )
    _add_organs(chest, diaphragm=diaphragm, middle=middle)
    _add_bones(chest)
    return chest


def heart_mask(x: Plane, y: Plane, *, ratio: float, anatomy: Anatomy, dome: float) -> Plane:
    """The cardiac silhouette: the right atrium's arc on one side, the left ventricle's on the other.

    `ratio` is the cardiothoracic ratio of the shadow: two thirds of it lie left of the midline.
    """
    width = 2 * ratio * anatomy.thorax_half_width
    reach_right, reach_left = 0.36 * width, 0.64 * width
    bottom = dome + 0.055
    atrium = ellipse(x, y, cx=MIDLINE - 0.25 * reach_right, cy=bottom - 0.135, rx=0.75 * reach_right, ry=0.125)
    # The ventricle's axis runs down and to the left: shear the ellipse along it.
    sheared = x - 0.38 * (y - (bottom - 0.10))
    ventricle = ellipse(sheared, y, cx=MIDLINE + 0.30 * reach_left, cy=bottom - 0.10, rx=0.66 * reach_left, ry=0.155)
    return np.maximum(inside(atrium, edge=0.13), inside(ventricle, edge=0.10))


def mediastinum_mask(u: Plane, y: Plane, *, half_width: float) -> Plane:
    """Great vessels above the heart: a band that narrows towards the neck."""
    return inside(u - (half_width - 0.012) - 0.06 * (y - 0.30), edge=0.012) * inside(0.08 - y, edge=0.08)


def dome_of(chest: Chest) -> float:
    """y of the top of the right hemidiaphragm on this film."""
    return chest.base_y[0] - COSTOPHRENIC_DROP


def projected_ratio(chest: Chest) -> float:
    """Cardiothoracic ratio of this film when the heart is not enlarged."""
    return ratio_in_view(chest.anatomy, chest.view)


def rib_line(u: Plane) -> Plane:
    """How far a posterior rib has come down at distance u from the midline."""
    return 1.05 * np.maximum(u - 0.05, 0) ** 2 - 0.25 * u


def first_rib_y(anatomy: Anatomy) -> float:
    """y at which the first posterior rib leaves the spine."""
    return anatomy.apex_y + 0.045


def ratio_in_view(anatomy: Anatomy, view: View) -> float:
    """Cardiothoracic ratio of a heart that is not enlarged."""
    # In AP the heart lies far from the film and is magnified.
    return anatomy.heart_ratio * (1.10 if view == "AP" else 1.0)


def _patient_frame(technique: Technique, *, size_px: int) -> tuple[Plane, Plane]:
    grid_x, grid_y = unit_grid(size_px)
    angle = np.deg2rad(technique.rotation_deg)
    cos, sin = float(np.cos(angle)) / technique.scale, float(np.sin(angle)) / technique.scale
    x, y = grid_x - 0.5, grid_y - 0.5
    right, down = technique.shift
    return cos * x + sin * y + (0.5 + right), cos * y - sin * x + (0.5 + down)


def _lung_rim(u: Plane, y: Plane, *, anatomy: Anatomy, center: float, half_width: float) -> Plane:
    # Lungs lean: their apices lie nearer the spine than their bases.
    height = 0.84 - anatomy.apex_y
    lean = 0.13 * (y - 0.55)
    return superellipse_mixed(
        u - lean, y, cx=center, cy=anatomy.apex_y + 0.62 * height, rx=half_width, ry=0.62 * height
    )


def superellipse_mixed(x: Plane, y: Plane, *, cx: float, cy: float, rx: float, ry: float) -> Plane:
    """Between an ellipse and a box: round at the apex, straight along the chest wall."""
    return 0.5 * (ellipse(x, y, cx=cx, cy=cy, rx=rx, ry=ry) + superellipse(x, y, cx=cx, cy=cy, rx=rx, ry=ry))


def _dome_profile(u: Plane, *, center: float, half_width: float) -> Plane:
    across = (u - (center - 0.2 * half_width)) / (1.2 * half_width)
    return np.minimum(across * across, 1.6)


def _soft_tissue(u: Plane, y: Plane, *, anatomy: Anatomy) -> Plane:
    """Neck, shoulders, arms and trunk, thinner towards the flanks."""
    shoulder = 0.9 * np.maximum(u - 0.085, 0) ** 1.6 - 0.05 + 0.085 * inside(0.115 - u, edge=0.04)
    # The arms hang at the edge of the film; below the armpits air parts them from the trunk.
    flank = anatomy.thorax_half_width + 0.075 + 0.03 * anatomy.habitus + 1.6 * np.maximum(0.46 - y, 0) ** 1.5
    body = inside(shoulder - y, edge=0.025) * inside(u - flank, edge=0.030)
    thickness = (0.49 + 0.06 * anatomy.habitus) - 0.9 * np.maximum(u - 0.20, 0) ** 1.6
    tissue = body * thickness
    # Through shoulders and upper back the beam has more to cross than through the bases.
    tissue += body * (0.05 * inside(y - 0.20, edge=0.14))
    if anatomy.sex == "F":
        breast = inside(ellipse(u, y, cx=0.225, cy=0.665, rx=0.13, ry=0.10), edge=0.22)
        tissue += (0.05 + 0.03 * anatomy.habitus) * breast * inside(y - 0.74, edge=0.05)
    return tissue


def _lung_texture(u: Plane, y: Plane, *, anatomy: Anatomy, size_px: int) -> Plane:
    """Vessels that fan out from the hila, branch and thin towards the periphery, over fine parenchyma."""
    bank, roll_x, roll_y = anatomy.texture
    fine, coarse = texture_bank(size_px)
    grain = shifted(fine[bank % NUM_TEXTURES], right=roll_x / 1000, down=roll_y / 1000)
    bend = shifted(coarse[bank % NUM_TEXTURES], right=roll_y / 1000, down=roll_x / 1000)
    dx, dy = u - 0.060, y - 0.455
    radius = np.sqrt(dx * dx + dy * dy)
    angle = np.arctan2(dy, dx) + 0.16 * bend
    trunk = np.cos(9 * angle + 6.28 * anatomy.vessel_phase)
    branch = np.cos(21 * angle - 14 * radius + 3 * anatomy.vessel_phase)
    fade = np.exp(radius * np.float32(-7.0))
    vessels = np.maximum(trunk - 0.5, 0) * fade + 0.55 * np.maximum(branch - 0.6, 0) * fade
    return 0.21 * vessels * inside(0.035 - radius, edge=0.03) + 0.010 * grain


def _add_organs(chest: Chest, *, diaphragm: Plane, middle: Plane) -> None:
    """Air out of the body where lung is, heart and great vessels in front of it, abdomen below."""
    x, y, u = chest.x, chest.y, chest.u
    solid = np.maximum(chest.heart, middle)
    above = inside(y - diaphragm, edge=0.012)
    plane = chest.attenuation
    plane -= LUNG_AIR * chest.aerated
    plane += chest.lung_texture * (1 - 0.8 * solid)
    plane += 0.045 * solid * above
    # The liver and the bowel: as dense as the heart, so that the heart's lower border is lost in them.
    plane += 0.050 * (1 - above) * inside(u - 0.42, edge=0.06)
    knob = ellipse(x, y, cx=MIDLINE + 0.052, cy=chest.anatomy.apex_y + 0.185, rx=0.034, ry=0.040)
    plane += 0.10 * inside(knob, edge=0.40) * chest.lungs
    trunk = ellipse(x, y, cx=MIDLINE + 0.050, cy=chest.anatomy.apex_y + 0.275, rx=0.042, ry=0.050)
    plane += 0.08 * inside(trunk, edge=0.50) * chest.lungs
    hila = ridge(u - 0.078, width=0.030) * ridge(y - (chest.anatomy.apex_y + 0.345), width=0.055)
    plane += 0.11 * hila
    bubble = ellipse(x, y, cx=MIDLINE + 0.17, cy=dome_of(chest) + 0.125, rx=0.055, ry=0.028)
    plane -= 0.055 * inside(bubble, edge=0.40)


def _add_bones(chest: Chest) -> None:
    y, u, anatomy = chest.y, chest.u, chest.anatomy
    plane = chest.attenuation
    cage = inside(u - (anatomy.thorax_half_width + 0.015), edge=0.02) * inside(0.025 - u, edge=0.015)
    shown = cage * (0.25 + 0.75 * chest.lungs) * (1 - 0.55 * chest.heart)
    phase = (y - first_rib_y(anatomy) - rib_line(u)) / anatomy.rib_gap
    is_rib = inside(np.abs(phase - 4.75) - 5.2, edge=0.2)
    band = np.clip(1.7 * np.cos(6.2832 * phase) - 0.45, 0, 1)
    # Bone is thickest at its margins, where the beam runs along the cortex.
    plane += (0.062 * anatomy.rib_strength) * shown * is_rib * band * (2.0 - 1.25 * band)
    front = (y - anatomy.apex_y - 0.20 + 0.62 * u) / (1.18 * anatomy.rib_gap)
    front_band = np.maximum(np.cos(6.2832 * front) - 0.35, 0) * inside(np.abs(front - 2.6) - 3.0, edge=0.3)
    plane += (0.030 * anatomy.rib_strength) * chest.lungs * front_band * inside(0.12 - u, edge=0.05)
    _add_spine(chest)
    _add_shoulder_girdle(chest)


def _add_spine(chest: Chest) -> None:
    y, u = chest.y, chest.u
    disc = np.cos(y * np.float32(6.2832 / 0.052))
    spine = inside(u - 0.034 - 0.008 * y, edge=0.016)
    plane = chest.attenuation
    plane += spine * (0.042 + 0.016 * disc) * (1 - 0.3 * chest.heart)
    trachea = inside(u - 0.013, edge=0.009) * inside(y - (chest.anatomy.apex_y + CARINA_DEPTH), edge=0.02)
    bronchi = ridge(y - (chest.anatomy.apex_y + CARINA_DEPTH) - 0.75 * u, width=0.012) * inside(u - 0.062, edge=0.012)
    plane -= 0.085 * trachea + 0.045 * bronchi


def _add_shoulder_girdle(chest: Chest) -> None:
    """Clavicles, scapulae and humeral heads. In AP the clavicles lie higher and the scapulae lie over the lungs."""
    y, u, anatomy = chest.y, chest.u, chest.anatomy
    is_ap = chest.view == "AP"
    collar_y = anatomy.apex_y + (0.022 if is_ap else 0.055)
    course = collar_y - 0.16 * (u - 0.05) + 0.010 * np.sin(u * np.float32(16))
    reach = inside(u - 0.315, edge=0.015) * inside(0.035 - u, edge=0.012)
    plane = chest.attenuation
    plane += 0.105 * reach * inside(np.abs(y - course) - 0.0125, edge=0.007)
    blade_u = 0.275 if is_ap else 0.365
    border = u - blade_u - 0.10 * (y - 0.30)
    blade = inside(np.abs(border - 0.035) - 0.040, edge=0.015) * inside(np.abs(y - 0.29) - 0.12, edge=0.05)
    plane += (0.055 + 0.030 * (border < 0.012)) * blade
    head = ellipse(u, y, cx=0.430, cy=0.235, rx=0.052, ry=0.055)
    shaft = inside(np.abs(u - 0.445 - 0.05 * (y - 0.25)) - 0.024, edge=0.008) * inside(0.26 - y, edge=0.02)
    plane += 0.11 * np.maximum(inside(head, edge=0.2), shaft) * inside(y - 0.46, edge=0.05)
