-- A mix for the Lua interpreter: calls, tables, strings, closures, sorting, floats. Argument: rounds. Output does not depend on the host: no order of
-- pairs, no addresses, no library functions of floats.
local rounds = tonumber(arg[1] or "1")

local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end

local function queens(n)
  local columns, up, down, found = {}, {}, {}, 0
  local function place(row)
    if row > n then found = found + 1 return end
    for column = 1, n do
      if not columns[column] and not up[row + column] and not down[row - column + n] then
        columns[column], up[row + column], down[row - column + n] = true, true, true
        place(row + 1)
        columns[column], up[row + column], down[row - column + n] = nil, nil, nil
      end
    end
  end
  place(1)
  return found
end

local seed = 42
local function random(bound)
  seed = (seed * 1103515245 + 12345) & 0x7fffffff
  return (seed >> 8) % bound
end

local function sorting(count)
  local list = {}
  for i = 1, count do list[i] = random(1000000) end
  table.sort(list, function(a, b) return a > b end)
  local digest = 0
  for i, value in ipairs(list) do digest = (digest * 31 + value * i) & 0xffffffff end
  return digest
end

local function words(count)
  local counts, order, pieces = {}, {}, {}
  for _ = 1, count do
    local word = "w" .. random(500) .. string.char(97 + random(26))
    if not counts[word] then counts[word] = 0; order[#order + 1] = word end
    counts[word] = counts[word] + 1
  end
  for i, word in ipairs(order) do pieces[i] = word:upper():gsub("W", "-") .. "=" .. counts[word] end
  local text, total = table.concat(pieces, ";"), 0
  for number in text:gmatch("=(%d+)") do total = total + number end
  return total, #text
end

local Point = {}
Point.__index = Point
Point.__add = function(a, b) return setmetatable({ x = a.x + b.x, y = a.y + b.y }, Point) end
function Point:length2() return self.x * self.x + self.y * self.y end

local function objects(count)
  local sum, step = setmetatable({ x = 0.0, y = 0.0 }, Point), setmetatable({ x = 0.5, y = -0.25 }, Point)
  for _ = 1, count do sum = sum + step end
  return sum:length2()
end

local function mandelbrot(size)
  local inside = 0
  for row = 0, size - 1 do
    for column = 0, size - 1 do
      local cr, ci, x, y, steps = column * 3.0 / size - 2.0, row * 2.0 / size - 1.0, 0.0, 0.0, 0
      while steps < 50 and x * x + y * y < 4.0 do x, y, steps = x * x - y * y + cr, 2.0 * x * y + ci, steps + 1 end
      if steps == 50 then inside = inside + 1 end
    end
  end
  return inside
end

for round = 1, rounds do
  local total, length = words(8000)
  local line = string.format("lua %d %d %d %d %d %d %.2f %d", round, fib(20), queens(6), sorting(6000), total, length, objects(20000), mandelbrot(48))
  if round == 1 or round == rounds then print(line) end
end
