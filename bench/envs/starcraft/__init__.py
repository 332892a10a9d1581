"""StarCraft II's micromanagement battles, as the packages smac and smacv2 play them with the game itself."""
