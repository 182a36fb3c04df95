"""Sells seats of a theatre. One request a line, one answer a line of JSON; everything is ordinary Python objects in memory.

    sell ROW SEAT NAME        price ROW AMOUNT        plan        income

It takes no care of anything: no database, no locks, no undo. An exception in the midst of a sale ends the program, and the machine that it runs in makes
it unhappened: what was changed before is as it was, and the next request finds the program alive.
"""
import json
import random
import sys

seats = {f"{row}{seat}": None for row in "ABC" for seat in range(1, 5)}
prices = {"A": 30, "B": 20}  # Nobody thought of row C.
income = 0


def sell(row, seat, name):
    global income
    place = row + seat
    if seats[place] is not None:
        return {"taken": place}
    seats[place] = name
    income += prices[row]  # A KeyError for row C: the seat is sold already, and the money was never asked for.
    return {"sold": place, "to": name, "ticket": "%06x" % random.getrandbits(24)}


def answer(words):
    match words:
        case ["sell", row, seat, name]:
            return sell(row, seat, name)
        case ["price", row, amount]:
            prices[row] = int(amount)
            return {"prices": prices}
        case ["plan"]:
            return {row: " ".join(seats[f"{row}{seat}"] or "-" for seat in range(1, 5)) for row in "ABC"}
        case ["income"]:
            return {"income": income}
        case _:
            return {"error": "sell ROW SEAT NAME, price ROW AMOUNT, plan, income"}


for line in sys.stdin:
    print(json.dumps(answer(line.split())), flush=True)
