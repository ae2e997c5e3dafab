"""What the formats share: the run that a recipe means on so many devices, and the sheet that its keys are put on."""
