/* Rule: backtracking and grids: queens, sudoku, knight's tour, life, flood fill, shortest paths. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static long queens(int n, unsigned columns, unsigned left, unsigned right) {
  if (columns == (1u << n) - 1) return 1;
  long count = 0;
  for (unsigned free = ~(columns | left | right) & ((1u << n) - 1); free; free &= free - 1) {
    unsigned bit = free & -free;
    count += queens(n, columns | bit, (left | bit) << 1, (right | bit) >> 1);
  }
  return count;
}
static char board[82] = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79";
static int allowed(int at, char digit) {
  int row = at / 9, column = at % 9, box = row / 3 * 27 + column / 3 * 3;
  for (int i = 0; i < 9; i++) if (board[row * 9 + i] == digit || board[i * 9 + column] == digit || board[box + i / 3 * 9 + i % 3] == digit) return 0;
  return 1;
}
static int sudoku(int at) {
  while (at < 81 && board[at] != '.') at++;
  if (at == 81) return 1;
  for (char d = '1'; d <= '9'; d++) if (allowed(at, d)) {
    board[at] = d;
    if (sudoku(at + 1)) return 1;
    board[at] = '.';
  }
  return 0;
}
static void life(void) {
  static unsigned char now[64][64], then[64][64];
  static const int glider[][2] = {{1, 0}, {2, 1}, {0, 2}, {1, 2}, {2, 2}, {20, 20}, {20, 21}, {20, 22}, {21, 19}, {19, 20}};
  for (int i = 0; i < 10; i++) now[glider[i][1]][glider[i][0]] = 1;
  for (int g = 0; g < 120; g++) {
    int alive = 0;
    for (int y = 0; y < 64; y++) for (int x = 0; x < 64; x++) {
      int n = 0;
      for (int dy = -1; dy <= 1; dy++) for (int dx = -1; dx <= 1; dx++) if (dx || dy) n += now[(y + dy) & 63][(x + dx) & 63];
      alive += then[y][x] = n == 3 || (n == 2 && now[y][x]);
    }
    memcpy(now, then, sizeof now);
    if (g % 20 == 19) printf("%d ", alive);
  }
  puts("");
}
static void paths(void) {
  enum { N = 60 };
  static int weight[N][N], distance[N][N], best[N], done[N];
  uint32_t seed = 99;
  for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) {
    seed = seed * 1103515245u + 12345u;
    weight[i][j] = distance[i][j] = i == j ? 0 : seed >> 16 & 7 ? 1000000 : (int)(seed >> 20 & 255) + 1;
  }
  for (int k = 0; k < N; k++) for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) if (distance[i][k] + distance[k][j] < distance[i][j]) distance[i][j] = distance[i][k] + distance[k][j];
  for (int i = 1; i < N; i++) best[i] = 1000000;
  for (int r = 0; r < N; r++) {
    int u = -1;
    for (int i = 0; i < N; i++) if (!done[i] && (u < 0 || best[i] < best[u])) u = i;
    done[u] = 1;
    for (int i = 0; i < N; i++) if (best[u] + weight[u][i] < best[i]) best[i] = best[u] + weight[u][i];
  }
  long sum = 0;
  int same = 1;
  for (int i = 0; i < N; i++) same &= best[i] == distance[0][i], sum = sum * 7 + best[i];
  printf("%d %ld\n", same, sum);
}
static int tour[8][8];
static int onward(int x, int y) {
  static const int dx[] = {1, 2, 2, 1, -1, -2, -2, -1}, dy[] = {-2, -1, 1, 2, 2, 1, -1, -2};
  int n = 0;
  for (int i = 0; i < 8; i++) n += (unsigned)(x + dx[i]) < 8 && (unsigned)(y + dy[i]) < 8 && !tour[y + dy[i]][x + dx[i]];
  return n;
}
static void knight(void) {
  static const int dx[] = {1, 2, 2, 1, -1, -2, -2, -1}, dy[] = {-2, -1, 1, 2, 2, 1, -1, -2};
  int x = 0, y = 0, moves = 1;
  tour[0][0] = 1;
  for (;; moves++) {
    int best = 9, to = -1;
    for (int i = 0; i < 8; i++) {
      int nx = x + dx[i], ny = y + dy[i];
      if ((unsigned)nx < 8 && (unsigned)ny < 8 && !tour[ny][nx] && onward(nx, ny) < best) best = onward(nx, ny), to = i;
    }
    if (to < 0) break;
    x += dx[to], y += dy[to], tour[y][x] = moves + 1;
  }
  printf("%d %d %d\n", moves, x, y);
}

int main(void) {
  for (int n = 4; n <= 9; n++) printf("%ld ", queens(n, 0, 0, 0));
  int solved = sudoku(0);
  printf("\n%d %s\n", solved, board);
  life(), paths(), knight();
  return 0;
}
