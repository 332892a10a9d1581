"""The building blocks of all networks, exact to the last bit: stacked products, layers, Adam.

The only equation of a paper here is MADDPG's eq. 5: nn.own_action_values.
"""
