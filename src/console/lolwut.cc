#include "console/lolwut.h"

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace vitrine {

namespace {

// Each cell of the raster remembers in which directions a bar leaves it; the box-drawing character follows from that.
enum Bar : uint8_t { kUp = 1, kDown = 2, kLeft = 4, kRight = 8 };

class Cabinet {
 public:
  Cabinet(uint64_t seed, int width, int height)
      : random_(seed), width_(width), height_(height), bars_(static_cast<size_t>(width * height)),
        things_(static_cast<size_t>(width * height)) {}

  std::string draw() {
    horizontal(0, 0, width_ - 1), horizontal(height_ - 1, 0, width_ - 1);
    vertical(0, 0, height_ - 1), vertical(width_ - 1, 0, height_ - 1);
    divide(0, 0, width_ - 1, height_ - 1, 0);
    std::string out;
    for (int y = 0; y < height_; y++) {
      for (int x = 0; x < width_; x++) out += glyph(x, y);
      out += '\n';
    }
    return out;
  }

 private:
  size_t at(int x, int y) const { return static_cast<size_t>(y * width_ + x); }
  int below(int n) { return static_cast<int>(random_.next() % static_cast<uint64_t>(n)); }

  void horizontal(int y, int x0, int x1) {
    for (int x = x0; x < x1; x++) bars_[at(x, y)] |= kRight, bars_[at(x + 1, y)] |= kLeft;
  }
  void vertical(int x, int y0, int y1) {
    for (int y = y0; y < y1; y++) bars_[at(x, y)] |= kDown, bars_[at(x, y + 1)] |= kUp;
  }

  // Splits the compartment between these bars, or puts something into it.
  void divide(int x0, int y0, int x1, int y1, int depth) {
    int wide = x1 - x0, high = y1 - y0;
    bool may_x = wide >= 12, may_y = high >= 6;
    if ((!may_x && !may_y) || (depth > 2 && below(4) == 0)) return furnish(x0, y0, x1, y1);
    if (may_x && (!may_y || wide > high * 2)) {
      int x = x0 + 4 + below(wide - 8);
      vertical(x, y0, y1);
      divide(x0, y0, x, y1, depth + 1), divide(x, y0, x1, y1, depth + 1);
    } else {
      int y = y0 + 2 + below(high - 4);
      horizontal(y, x0, x1);
      divide(x0, y0, x1, y, depth + 1), divide(x0, y, x1, y1, depth + 1);
    }
  }

  void furnish(int x0, int y0, int x1, int y1) {
    static constexpr const char* kThings[] = {"◆", "●", "▲", "■", "◈", "○", "△", "✦"};
    if (y1 - y0 < 2 || below(3) == 0) return;
    const char* thing = kThings[below(8)];
    int row = y1 - 1, count = 1 + below(std::max(1, (x1 - x0 - 2) / 3));
    for (int i = 0; i < count; i++) {
      int x = x0 + 2 + i * 2;
      if (x < x1 - 1) things_[at(x, row)] = thing;
    }
  }

  std::string glyph(int x, int y) const {
    static constexpr const char* kGlyphs[16] = {" ", "╵", "╷", "│", "╴", "┘", "┐", "┤",
                                                "╶", "└", "┌", "├", "─", "┴", "┬", "┼"};
    if (uint8_t bars = bars_[at(x, y)]) return kGlyphs[bars];
    return things_[at(x, y)] ? things_[at(x, y)] : " ";
  }

  Random random_;
  const int width_, height_;
  std::vector<uint8_t> bars_;
  std::vector<const char*> things_;
};

}  // namespace

std::string draw_cabinet(uint64_t seed, int64_t columns, int64_t rows) {
  return Cabinet(seed, static_cast<int>(std::clamp<int64_t>(columns, 8, 160)),
                 static_cast<int>(std::clamp<int64_t>(rows, 4, 60))).draw();
}

}  // namespace vitrine
