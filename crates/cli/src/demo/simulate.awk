# Simulates prices of a share and sums the payoffs of a call option on it, discounted to today.
#
# The random numbers are L'Ecuyer's combined generator of 1988, in numbers that every awk computes exactly: awk's own are
# different in each implementation, and coarse in some. The index of the array job's child chooses where in the period of
# 2.3e18 numbers a child begins, so children see different ones, and each run of the demo the same.

function uniform() {
    first = (first * 40014) % 2147483563
    second = (second * 40692) % 2147483399
    mixed = first - second
    if (mixed < 1) mixed += 2147483562
    return mixed / 2147483563
}

function add(normal,    payoff) {
    payoff = ENVIRON["SPOT"] * exp(drift + spread * normal) - strike
    payoff = payoff > 0 ? payoff * discount : 0
    sum += payoff
    squares += payoff * payoff
}

BEGIN {
    child = ENVIRON["AWS_BATCH_JOB_ARRAY_INDEX"] + 0
    paths = ENVIRON["PATHS"] + 0
    strike = ENVIRON["STRIKE"] + 0
    years = ENVIRON["YEARS"] + 0
    drift = (ENVIRON["RATE"] - ENVIRON["VOLATILITY"] ^ 2 / 2) * years
    spread = ENVIRON["VOLATILITY"] * sqrt(years)
    discount = exp(-ENVIRON["RATE"] * years)

    first = 1 + (12345677 + child * 97654321) % 2147483562
    second = 1 + (76543210 + child * 31415927) % 2147483398
    for (i = 0; i < 20; i++) uniform()

    for (i = 0; i < paths; i += 2) {
        radius = sqrt(-2 * log(uniform()))
        angle = 6.283185307179586 * uniform()
        add(radius * cos(angle))
        add(radius * sin(angle))
    }

    printf "%d %.17g %.17g\n", i, sum, squares > ("part-" child)
    printf "%d paths, mean payoff %.4f\n", i, sum / i
}
