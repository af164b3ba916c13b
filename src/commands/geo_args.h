// Positions and units, as the geo commands read and write them.
#pragma once

#include "ds/geo_area.h"
#include "engine/call.h"

namespace vitrine {

// Metres in a unit ("m", "km", "ft", "mi"); latches Redis' error and returns 0 when it is none of them.
double read_unit(Args& args);
// A longitude and a latitude; latches errors.
geo::Point read_point(Args& args);

// With four digits behind the point, as a bulk string.
void reply_distance(ReplyBuilder& reply, double distance);
// Longitude and latitude with up to 17 digits behind the point.
void reply_point(ReplyBuilder& reply, const geo::Point& point);

}  // namespace vitrine
