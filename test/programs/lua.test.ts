/** Lua 5.4 from its real sources, running real scripts, against qemu-riscv64. */
import { describe, it } from 'vitest';
import { checkReal } from './real-program.ts';

const SCRIPTS: Readonly<Record<string, string>> = {
  strings: `local t = {} for i = 1, 800 do t[#t+1] = string.format("%05d:%s:%g:%q", i, ("x"):rep(i % 7), i / 3, "a\\n" .. i) end
    local s = table.concat(t, ",") print(#s, s:sub(1, 200), s:reverse():sub(1, 50), s:upper():sub(-40))
    for k, v in ("one=1, two=2, three=3"):gmatch("(%w+)=(%w+)") do print(k, v) end
    print(("hello world"):gsub("o", "0"), ("%d+"):rep(3), ("abc"):byte(1, -1), utf8.char(228, 8364, 128512), #utf8.char(8364))
    print(string.pack("<i4z", 77, "hi"):byte(1, -1)) print(tostring(1e15), 2^53, 10 // 3, -10 % 3, 7.5 // 2, 1/0, -1/0, math.maxinteger + 1 == math.mininteger)`,
  tables: `local t = {} for i = 1, 5000 do t[i] = (i * 7919) % 5003 end table.sort(t) local ok = true for i = 2, #t do ok = ok and t[i-1] <= t[i] end print(ok, t[1], t[#t])
    table.sort(t, function(a, b) return a > b end) print(t[1], t[5000]) print(table.unpack({1, 2, 3}, 2)) print(select("#", table.unpack({}, 1, 10)))
    local m = setmetatable({}, { __index = function(_, k) return k * 2 end, __call = function(self, x) return x + 1 end, __tostring = function() return "m" end }) print(m[21], m(1), tostring(m))
    local r = {} for k, v in pairs({ a = 1, b = 2, c = 3 }) do r[#r+1] = k .. v end table.sort(r) print(table.concat(r, " ")) print(#"", next({}), rawlen({1, 2}))`,
  closures: `local function counter() local n = 0 return function() n = n + 1 return n end end local a, b = counter(), counter() a() a() print(a(), b())
    local function compose(...) local f = {...} return function(x) for i = #f, 1, -1 do x = f[i](x) end return x end end
    print(compose(function(x) return x * 2 end, function(x) return x + 1 end)(5)) local function fib(n) if n < 2 then return n end return fib(n-1) + fib(n-2) end print(fib(22))`,
  coroutines: `local function gen(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i, i * i) end return "done" end) end
    local g = gen(5) for _ = 1, 6 do print(g()) end print(pcall(g)) local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) error({ code = b }) end)
    print(coroutine.resume(co, 1)) local ok, e = coroutine.resume(co, 42) print(ok, type(e), e.code, coroutine.status(co))`,
  garbage: `collectgarbage("generational") local weak = setmetatable({}, { __mode = "v" }) for i = 1, 8000 do weak[i % 100] = { i } local s = ("y"):rep(i % 50) .. i end collectgarbage() collectgarbage()
    local n = 0 for _ in pairs(weak) do n = n + 1 end print(n) local closed = {} do local x <close> = setmetatable({}, { __close = function() closed[1] = true end }) end print(closed[1])`,
  json: `local function encode(v) local t = type(v) if t == "table" then if #v > 0 then local r = {} for _, x in ipairs(v) do r[#r+1] = encode(x) end return "[" .. table.concat(r, ",") .. "]" end
      local keys = {} for k in pairs(v) do keys[#keys+1] = k end table.sort(keys) local r = {} for _, k in ipairs(keys) do r[#r+1] = string.format("%q:", k) .. encode(v[k]) end return "{" .. table.concat(r, ",") .. "}"
      elseif t == "string" then return string.format("%q", v) else return tostring(v) end end
    local doc = {} for i = 1, 150 do doc[i] = { id = i, name = "n" .. i, list = { i, i + 0.5, i * 2 }, nested = { deep = { value = i % 3 == 0 } } } end local s = encode(doc) print(#s, s:sub(1, 300))`,
  queens: `local N, count = 8, 0 local function place(row, cols, d1, d2) if row > N then count = count + 1 return end for c = 1, N do if not cols[c] and not d1[row + c] and not d2[row - c + N] then
      cols[c], d1[row + c], d2[row - c + N] = true, true, true place(row + 1, cols, d1, d2) cols[c], d1[row + c], d2[row - c + N] = nil, nil, nil end end end place(1, {}, {}, {}) print(count)`,
  mandelbrot: `for y = -12, 12 do local line = {} for x = -30, 10 do local cr, ci, zr, zi, n = x / 18, y / 10, 0, 0, 0 while zr * zr + zi * zi < 4 and n < 60 do zr, zi = zr * zr - zi * zi + cr, 2 * zr * zi + ci n = n + 1 end
      line[#line+1] = (" .:-=+*#%@"):sub(1 + n % 10, 1 + n % 10) end print(table.concat(line)) end`,
  mathematics: `for i = 1, 40 do local x = i * 0.37 print(string.format("%.17g %.17g %.17g %.17g %a", math.sin(x), math.exp(x / 7), math.log(x + 1), x ^ 2.5, math.sqrt(x))) end print(math.type(3), math.type(3.0), 3 | 5, ~0, 1 << 62, math.ult(1, -1), math.fmod(-7, 3), 5 // 0.0)`,
  errors: `print(pcall(error, "x", 0)) print(pcall(function() local t = nil return t.x end)) print(xpcall(function() error("deep") end, function(m) return "handled: " .. m end)) print(select(2, load("x ="))) local function deep(n) return n == 0 and 0 or 1 + deep(n - 1) end print(pcall(deep, 15000)) print(select(2, pcall(function() local function g() return (("x"):gsub(".", g)) end return g() end)):match("C stack overflow")) os.exit(3)`,
  ...(process.env['STILLPOINT_SLOW'] === '1' ? { overflow: 'print(select(2, pcall(function() local function f() return f() + 1 end return f() end)):match("stack overflow"))' } : {}), // 600 M instructions.
  nested: `local function f(n) if n == 0 then return 0 end local ok, v = pcall(f, n - 1) return v + 1 end for i = 1, 9000 do f(i % 20) end print(f(180)) local t = setmetatable({}, { __index = function(t, k) if k == 0 then return 0 end return t[k - 1] + 1 end }) print(t[170])`,
  files: `local f = assert(io.open("out.txt", "w")) for i = 1, 1000 do f:write(i, " ", i * i, "\\n") end f:close() local n, sum = 0, 0 for a, b in io.lines("out.txt", "n", "n") do n = n + 1 sum = sum + b if n == 1000 then break end end print(n, sum)
    f = io.open("out.txt", "r+") f:seek("set", 10) print(f:read(5)) f:seek("end", -6) print(f:read("l")) f:close() os.rename("out.txt", "new.txt") print(io.open("out.txt")) print(os.remove("new.txt"), io.read("l"), io.read("n"), io.read("a"))`,
};

describe('Lua scripts', () => {
  it.each(Object.keys(SCRIPTS))('%s', async (name) => {
    await checkReal('lua', { args: ['script.lua', 'argument'], files: { 'script.lua': SCRIPTS[name]! }, stdin: Buffer.from('first line\n 3.25 and the rest\nof it') });
  });
});
