"""What all networks are made of, to the last bit: stacked products, layers, Adam.

Of papers only MADDPG's eq. 5 is here: nn.own_action_values.
"""
