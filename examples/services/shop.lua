-- A shop that takes one request a line and answers one line. It takes no care at all: no locks, no undo, no files. What a failed request did is undone by
-- the machine, and what it remembers is as durable as its answers.
--
--   add ITEM COUNT            buy ITEM COUNT KEY        list
--
-- KEY is the client's own: a client that got no answer asks again with the same key, and is given the first answer (exactly once).
local stock, answers = {}, {}

local function buy(item, count, key)
  if answers[key] then return answers[key] end
  stock[item] = stock[item] - count                  -- An unknown item is an error of Lua in the midst of it,
  if stock[item] < 0 then os.exit(1) end             -- and this is the end of the program: neither has happened then.
  answers[key] = ("sold %d %s, %d left"):format(count, item, stock[item])
  return answers[key]
end

for line in io.lines() do
  local words = {}
  for word in line:gmatch("%S+") do words[#words + 1] = word end
  if words[1] == "add" then
    stock[words[2]] = (stock[words[2]] or 0) + tonumber(words[3])
    print("ok")
  elseif words[1] == "buy" then
    print(buy(words[2], tonumber(words[3]), words[4]))
  else
    local items = {}
    for item, count in pairs(stock) do items[#items + 1] = item .. " " .. count end
    table.sort(items)
    print(table.concat(items, ", "))
  end
  io.flush()
end
